"""Tables that the package reads, and the scripts that write them."""
