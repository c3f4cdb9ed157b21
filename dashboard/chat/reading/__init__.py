"""The rules by which `parse` reads a question: a file for each thing that a question may say."""
