"""The acquirer's contract as tests, run against any acquirer over HTTP."""
