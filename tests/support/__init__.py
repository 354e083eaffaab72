"""What tests of several folders share: crystals, small cells, whole run folders, and the places of files."""
