"""What `retrieve` finds works by: what a record says, what of the catalogue is named, what speaks for a work."""
