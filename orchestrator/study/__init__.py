"""Study files: reading, checking, expanding them to planned trials. No Ray, no torch."""
