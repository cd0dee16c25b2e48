"""Reading a study's results folder, without torch and Ray."""
