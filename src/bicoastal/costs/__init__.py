"""What a deployment costs a month: AWS's list prices, dated and with their source, times what the templates hold.

Pure: the table of prices is a file beside this, nothing is asked of AWS. What depends on use (requests, bytes) is named
and not guessed, and what the table has no price for is said to be unknown.
"""
