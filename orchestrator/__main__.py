"""`python -m orchestrator` and the command `dividemix-orchestrator`."""

from orchestrator.import_path import put_working_folder_last


def main() -> None:
    """Run the command line."""
    put_working_folder_last()
    # Imported late: these import packages whose names a user's own files may have.
    from orchestrator.cli import app

    app.main()


if __name__ == "__main__":
    main()
