"""The operator's command line: `python -m deploy.ops COMMAND`; `--help` lists the commands."""

from deploy.ops.cli import main

if __name__ == "__main__":
    main()
