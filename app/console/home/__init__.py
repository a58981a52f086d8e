"""Where the console begins: the first page that the caller may see."""
