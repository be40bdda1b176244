"""The demo: `python -m deploy.demo [--once]`, behind `make demo`."""

from deploy.demo.runner import main

if __name__ == "__main__":
    main()
