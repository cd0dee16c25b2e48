"""Every field that changes a trial's result, its checks, and the settings of the machine. Pydantic
and yaml only."""
