"""The loop of Lambda's runtime for Python, without what it does beside: import the
handler, then ask for an event, call the handler, and send what it returns.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
"""

import http.client
import json
import os
import traceback

from handler import handler


def main():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method, path, body=None):
        api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
        answer = api.getresponse()
        return answer.headers, answer.read()

    while True:
        headers, event = call("GET", "next")
        path = headers["Lambda-Runtime-Aws-Request-Id"] + "/"
        try:
            call("POST", path + "response", json.dumps(handler(json.loads(event), None)))
        except Exception as e:
            traceback.print_exc()
            call("POST", path + "error", json.dumps({"errorMessage": str(e), "errorType": type(e).__name__}))


main()
