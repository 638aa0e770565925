"""The automation controller: Systems Manager's automations and commands, and schedules, are run as the API says.

`controller` finds what is to be done in each region; `execution` runs one automation, step after step, and `actions`
holds what a step can be; `values` fills in what a step names, `script` runs a document's Python; `commands` runs a
command on an instance; `schedules` fires what is due. Everything is done with the rights of the role that is named for
it, which IAM decides at every call. Nothing here knows a document of the product's.
"""
