module lambda-guardrail

go 1.26.0

// The functions. service/lambda is held: later ones initialise a table of schemas at
// every cold start. Every client has a table of endpoints: internal/awscall does
// without the others. Behind each module of these blocks stands where it is linked,
// and why.
require (
	github.com/aws/aws-lambda-go v1.55.1 // functions: the loop of Lambda's runtime
	github.com/aws/aws-sdk-go-v2 v1.48.0 // functions, command line: signatures, retries and errors of AWS
	github.com/aws/aws-sdk-go-v2/service/kms v1.58.0 // sweep: the key of what it remembers
	github.com/aws/aws-sdk-go-v2/service/lambda v1.107.0 // functions, command line: policies are read and reverted
	github.com/aws/aws-sdk-go-v2/service/s3 v1.112.0 // sweep: the object of what it remembers
	github.com/aws/smithy-go v1.28.9 // functions, command line: what the SDK is built on; its errors are told apart
	github.com/go-json-experiment/json v1.27.2 // functions, command line, CDK: JSON that refuses duplicate names and other cases
)

// The stack. The CDK's command line is pinned too: see the README.
require (
	github.com/aws/aws-cdk-go/awscdk/v2 v2.270.0 // CDK: the stack
	github.com/aws/constructs-go/constructs/v10 v10.6.0 // CDK: its tree
	github.com/aws/jsii-runtime-go v1.139.0 // CDK: its bridge to Node
)

// Tests and tools. What is AWS's is as old as service/lambda, or older, so as not to
// raise what that brings into the functions.
require (
	github.com/aws/aws-sdk-go-v2/config v1.33.3 // command line: a person's credentials, wherever they are
	github.com/aws/aws-sdk-go-v2/service/cloudformation v1.80.0 // command line: finds what is deployed
	github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs v1.86.0 // command line: the drill reads the log
	github.com/aws/aws-sdk-go-v2/service/eventbridge v1.45.0 // tests: the generated client, beside ours
	github.com/aws/aws-sdk-go-v2/service/iam v1.62.0 // command line: the drill's role that permits nothing
	github.com/aws/aws-sdk-go-v2/service/securityhub v1.71.2 // tests: the generated client, beside ours
	github.com/aws/aws-sdk-go-v2/service/sns v1.46.0 // tests: the generated client, beside ours
	github.com/aws/aws-sdk-go-v2/service/sqs v1.46.0 // tests: reads back from moto what a topic delivered
	github.com/cdklabs/cdk-nag-go/cdknag/v2 v2.35.0 // tests: AWS's own rules for a stack
	github.com/chromedp/cdproto v0.159.2 // tests: the protocol that chromedp speaks
	github.com/chromedp/chromedp v0.23.0 // tests: the page of a scan in a real browser
	github.com/google/go-cmp v0.7.0 // tests: differences that can be read
	github.com/owenrumney/go-sarif/v3 v3.3.1 // command line: a scan as SARIF
	github.com/rogpeppe/go-internal v1.16.0 // tests: scripts that run the command line
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // tests: findings against their schema
	github.com/spf13/cobra v1.10.2 // command line: commands, flags, help, completion
	golang.org/x/term v0.47.0 // command line: whether there is somebody to ask, and how wide
	pgregory.net/rapid v1.3.0 // tests: properties
	quamina.net/go/quamina v1.5.1 // command line: patterns of EventBridge, by an author of the original
)

require (
	github.com/Masterminds/semver/v3 v3.5.0 // indirect
	github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream v1.7.20 // indirect
	github.com/aws/aws-sdk-go-v2/credentials v1.20.3 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.19.2 // indirect
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.5.2 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.8.2 // indirect
	github.com/aws/aws-sdk-go-v2/internal/v4a v1.5.2 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.13.19 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/checksum v1.11.2 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.14.2 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/s3shared v1.20.2 // indirect
	github.com/aws/aws-sdk-go-v2/service/signin v1.9.0 // indirect
	github.com/aws/aws-sdk-go-v2/service/sso v1.37.0 // indirect
	github.com/aws/aws-sdk-go-v2/service/ssooidc v1.42.0 // indirect
	github.com/aws/aws-sdk-go-v2/service/sts v1.49.0 // indirect
	github.com/cdklabs/awscdk-asset-awscli-go/awscliv1/v2 v2.2.292 // indirect
	github.com/cdklabs/awscdk-asset-node-proxy-agent-go/nodeproxyagentv6/v2 v2.1.2 // indirect
	github.com/cdklabs/cloud-assembly-schema-go/awscdkcloudassemblyschema/v54 v54.11.0 // indirect
	github.com/fatih/color v1.19.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.23 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	github.com/xeipuuv/gojsonpointer v0.0.0-20180127040702-4e3ac2762d5f // indirect
	github.com/xeipuuv/gojsonreference v0.0.0-20180127040603-bd5ef7bd5415 // indirect
	github.com/xeipuuv/gojsonschema v1.2.0 // indirect
	github.com/yuin/goldmark v1.7.16 // indirect
	golang.org/x/lint v0.0.0-20241112194109-818c5a804067 // indirect
	golang.org/x/mod v0.38.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/telemetry v0.0.0-20260708182218-49f421fb7959 // indirect
	golang.org/x/text v0.14.0 // indirect
	golang.org/x/tools v0.48.0 // indirect
	golang.org/x/tools/cmd/godoc v0.1.0-deprecated // indirect
	golang.org/x/tools/godoc v0.1.0-deprecated // indirect
)

replace quamina.net/go/quamina => github.com/timbray/quamina v1.5.1
