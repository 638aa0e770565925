"""The backups controller: AWS Backup's jobs are done by RDS's own actions, with the rights of the job's role.

`controller` finds what is to be done, and when plans are due; `jobs` does one step of a job. A backup is a DB snapshot,
whose data the databases' controller keeps by a real base backup; a copy is one of the other region; a restore is a DB
instance that is born from it. It knows no other room.
"""
