"""Everything that knows about Beam, files and the command line."""
