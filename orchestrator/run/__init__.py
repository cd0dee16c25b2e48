"""What each command that trains or plans does, from beginning to end."""
