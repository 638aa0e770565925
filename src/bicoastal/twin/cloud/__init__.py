"""The control plane of the twin: AWS's API for both regions, in one process of ours, on the loopback interface only.

`process` starts and ends it; `server` is what runs inside. The engine below is ministack; `emulator` is the one place
that knows its private names, `handlers` what it lacks, `schemas` what AWS refuses, `gateway` stands in front of it all.
It may not import anything that runs instances or databases: controllers read its API as any other client does.
"""
