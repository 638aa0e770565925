"""The only room that knows boto3: sessions, paging, waiting, and the log of every call.

Whether it talks to AWS or to a stand-in is an endpoint URL and credentials (AWS_ENDPOINT_URL); no code path asks which.
"""
