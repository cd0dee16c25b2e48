"""Fields that change a trial's result, their checks, and the settings of the machine.

The package imports pydantic and yaml only.
"""
