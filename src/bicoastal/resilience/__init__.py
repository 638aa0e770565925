"""What a loss costs: arithmetic over the templates' own values and published figures.

Pure: no AWS, no clock, no files but templates that were read already. Every figure carries its source; what templates
do not say is unknown here, never guessed.
"""
