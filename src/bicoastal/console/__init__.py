"""The console in a browser: shows both coasts, starts operations, faults and drills. It decides nothing.

What it shows comes from `operate.watch`, by the AWS API alone; what a twin knows beyond that is handed to it by who
runs the twin. It serves this machine and nobody else.
"""
