"""What every job needs: logs, files written whole, devices, progress, digests of code, seeds."""
