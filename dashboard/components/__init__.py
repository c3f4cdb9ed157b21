"""What pages draw with: plain data in, one element out. Each draws with a script of `js/`, in our own look."""
