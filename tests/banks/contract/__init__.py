"""The bank's contract, sentence by sentence, over HTTP. See README.md beside this file."""
