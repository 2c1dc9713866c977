package main

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"lambda-guardrail/internal/config"
)

const (
	sweepMemoryMB = 512 // 16 bytes for each policy that was seen, twice while they are sorted
	sweepSeconds  = 900 // as long as Lambda lets a function run
	sweepDays     = 7   // then a run is given up: the next full one begins
)

// addSweep makes the periodic function, what it remembers, and what calls it until
// a run is done.
func (g *Guardrail) addSweep(role awsiam.Role, code awslambda.Code) {
	g.addSeen(role)
	g.config.Sweep.Bucket, g.config.Sweep.Key = *g.seen.BucketName(), *g.seenKey.KeyArn()
	for _, action := range config.SweepActions() {
		on := g.functions("*")
		if action == "lambda:ListFunctions" {
			on = jsii.Strings("*") // it knows no resources
		}
		_, sid, _ := strings.Cut(action, ":")
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Sid: &sid, Actions: jsii.Strings(action), Resources: on}))
	}
	props := g.function("sweep", role, code)
	props.Description = jsii.String("Looks at every policy of every Lambda function, as far as it comes in one invocation")
	props.MemorySize = jsii.Number(sweepMemoryMB)
	props.Timeout = awscdk.Duration_Seconds(jsii.Number(sweepSeconds))
	props.RetryAttempts = jsii.Number(0) // the state machine decides
	g.Sweep = awslambda.NewFunction(g.Construct, jsii.String("Sweep"), props)
	g.addMachine()
	for run, expression := range g.schedules() {
		g.addSchedule(run, expression)
	}
	if _, watched := g.heartbeatDays(); !watched && len(g.schedules()) > 0 {
		awscdk.Annotations_Of(g.Construct).AddWarningV2(jsii.String("lambda-guardrail:heartbeat"), jsii.String(
			"no alarm watches that the sweep runs: want sweepSchedule or fullSweepSchedule to run every two days at least, as rate(...) or as a cron(...) for every day"))
	}
}

// schedules are when the sweep runs, by the kind of run.
func (g *Guardrail) schedules() map[string]string {
	all := map[string]string{"incremental": g.config.Stack.SweepSchedule, "full": g.config.Stack.FullSweepSchedule}
	maps.DeleteFunc(all, func(_, expression string) bool { return expression == config.Off })
	return all
}

// heartbeatDays is how long there may be no heartbeat: as many days as hold two
// starts, and two for a full run of a large account, in which no other begins.
// CloudWatch looks back a week at the most, which is too short for a schedule of
// less than every second day: watched is false then.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
func (g *Guardrail) heartbeatDays() (days float64, watched bool) {
	interval := 0
	for _, expression := range g.schedules() {
		if d := intervalDays(expression); d > 0 && (interval == 0 || d < interval) {
			interval = d
		}
	}
	return float64(2*interval + 2), interval == 1 || interval == 2
}

// intervalDays returns the days between two starts, rounded up. It is 0 for a cron
// expression that does not fire every day: how seldom it fires is not looked into.
func intervalDays(expression string) int {
	if inside, ok := strings.CutPrefix(expression, "rate("); ok {
		value, unit, _ := strings.Cut(strings.TrimSuffix(inside, ")"), " ")
		n, err := strconv.Atoi(value)
		if err != nil {
			return 0
		}
		aDay := map[string]int{"minute": 24 * 60, "hour": 24, "day": 1}[strings.TrimSuffix(unit, "s")]
		return (n + aDay - 1) / aDay
	}
	fields := strings.Fields(strings.Trim(expression, "cron()"))
	for _, field := range fields[2:] { // minutes, hours; day of month, month, day of week, year
		if field != "*" && field != "?" {
			return 0
		}
	}
	return 1
}

// addSeen makes the bucket for what was seen, and a key of its own: whoever may use
// it could make the sweep pass a policy over.
func (g *Guardrail) addSeen(role awsiam.Role) {
	g.seenKey = awskms.NewKey(g.Construct, jsii.String("SeenKey"), &awskms.KeyProps{
		Description:       jsii.String("What the sweep of " + g.config.Stack.Name + " has seen"),
		EnableKeyRotation: jsii.Bool(true),
		PendingWindow:     awscdk.Duration_Days(jsii.Number(7)),
		RemovalPolicy:     awscdk.RemovalPolicy_DESTROY, // without it, everything is read
	})
	// Whatever other policies say. Whoever may change this one gives notice by that.
	g.seenKey.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("TheSweepAlone"),
		Effect:     awsiam.Effect_DENY,
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		Actions:    jsii.Strings("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"),
		Resources:  jsii.Strings("*"), // in a key's policy: the key
		Conditions: &map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": role.RoleArn()}},
	}), nil)
	g.seen = awss3.NewBucket(g.Construct, jsii.String("Seen"), &awss3.BucketProps{
		Encryption:        awss3.BucketEncryption_S3_MANAGED, // the objects are encrypted before they come here
		EnforceSSL:        jsii.Bool(true),
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		// CloudFormation deletes empty buckets only. The objects go by themselves.
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Expiration:                          awscdk.Duration_Days(jsii.Number(90)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
		}},
	})
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("Seen"), Actions: jsii.Strings("s3:GetObject", "s3:PutObject"), Resources: &[]*string{g.seen.ArnForObjects(jsii.String("*"))},
	}))
	// It lists nothing; but who may not hears of an object that does not exist yet that
	// it is denied: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("SeenBucket"), Actions: jsii.Strings("s3:ListBucket"), Resources: &[]*string{g.seen.BucketArn()},
	}))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("SeenKey"), Actions: jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"), Resources: &[]*string{g.seenKey.KeyArn()},
	}))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("SeenKeyForTheFunctionAlone"),
		Effect:     awsiam.Effect_DENY,
		Actions:    jsii.Strings("kms:*"),
		Resources:  &[]*string{g.seenKey.KeyArn()},
		Conditions: g.notFrom("sweep"),
	}))
}

// machine calls the function until it says that the run is done. A run takes days in
// a large account; an iteration is seven events of history and a wait for another run
// is thirteen, so that Step Functions' 25,000 last for weeks of either.
// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
func machine() string {
	type object = map[string]any
	again := []object{{
		"ErrorEquals": []string{"States.ALL"}, "IntervalSeconds": 30, "BackoffRate": 2, "MaxDelaySeconds": 900, "MaxAttempts": 10, "JitterStrategy": "FULL",
	}}
	failed := []object{{"ErrorEquals": []string{"States.ALL"}, "ResultPath": "$.failure", "Next": "Failed"}}
	text, err := json.Marshal(object{
		"Comment":        "Looks at every policy of every function",
		"TimeoutSeconds": sweepDays * 24 * 60 * 60,
		"StartAt":        "Others",
		"States": object{
			// Two runs at once would use twice their share of the quota. The list begins with
			// the latest run, and may lack what has just begun, this run itself too.
			// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
			"Others": object{
				"Type": "Task", "Resource": "${ListExecutions}",
				"Parameters":     object{"StateMachineArn.$": "$$.StateMachine.Id", "StatusFilter": "RUNNING"},
				"ResultSelector": object{"running.$": "States.ArrayLength($.Executions)", "arns.$": "$.Executions[*].ExecutionArn"}, "ResultPath": "$.others",
				"Retry": again, "Catch": failed, "Next": "Alone",
			},
			"Alone": object{
				"Type": "Choice", "Default": "Begin",
				"Choices": []object{{"Variable": "$.others.running", "NumericGreaterThan": 0, "Next": "First"}},
			},
			"First": object{
				"Type": "Pass", "ResultPath": "$.first", "Next": "Turn",
				"Parameters": object{"arn.$": "States.ArrayGetItem($.others.arns, States.MathAdd($.others.running, -1))", "own.$": "$$.Execution.Id"},
			},
			// Both schedules start a run at the same moment once a week. The one that began
			// first goes on, so that it is not none of them; a full one is not put off for a
			// week, but waits.
			"Turn": object{
				"Type": "Choice", "Default": "Another run is under way",
				"Choices": []object{
					{"Variable": "$.first.arn", "StringEqualsPath": "$.first.own", "Next": "Begin"},
					{"Variable": "$.run", "StringEquals": "full", "Next": "Wait"},
				},
			},
			"Wait":                     object{"Type": "Wait", "Seconds": 900, "Next": "Others"},
			"Another run is under way": object{"Type": "Succeed"},
			"Begin":                    object{"Type": "Pass", "Parameters": object{"run.$": "$.run", "token": ""}, "Next": "Sweep"},
			"Sweep": object{
				"Type": "Task", "Resource": "${Invoke}",
				"Parameters":     object{"FunctionName": "${Function}", "Payload": object{"run.$": "$.run", "token.$": "$.token"}},
				"TimeoutSeconds": sweepSeconds + 60, "OutputPath": "$.Payload",
				"Retry": again, "Catch": failed, "Next": "More",
			},
			"More": object{
				"Type": "Choice", "Default": "Sweep",
				"Choices": []object{{"Variable": "$.done", "BooleanEquals": true, "Next": "Done"}},
			},
			"Done":   object{"Type": "Succeed"},
			"Failed": object{"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"},
		},
	})
	if err != nil {
		panic(err) // texts and numbers can always be written
	}
	return string(text)
}

func (g *Guardrail) addMachine() {
	arn := g.stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("states"), Resource: jsii.String("stateMachine"), ResourceName: g.name("sweep"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
	g.Machine = awsstepfunctions.NewStateMachine(g.Construct, jsii.String("Machine"), &awsstepfunctions.StateMachineProps{
		StateMachineName: g.name("sweep"),
		Comment:          jsii.String("Calls the sweep until a run is done"),
		DefinitionBody:   awsstepfunctions.DefinitionBody_FromString(jsii.String(machine())),
		DefinitionSubstitutions: &map[string]*string{
			"ListExecutions": jsii.String("arn:" + *g.stack.Partition() + ":states:::aws-sdk:sfn:listExecutions"),
			"Invoke":         jsii.String("arn:" + *g.stack.Partition() + ":states:::lambda:invoke"),
			"Function":       g.Sweep.FunctionArn(),
		},
		Role: awsiam.NewRole(g.Construct, jsii.String("MachineRole"), &awsiam.RoleProps{
			RoleName:    g.name("machine-" + *g.stack.Region()),
			Description: jsii.String("Of the state machine of " + g.config.Stack.Name),
			AssumedBy:   awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), nil),
		}),
		TracingEnabled: jsii.Bool(true),
	})
	for _, allowed := range []struct {
		sid, action string
		on          *string
	}{
		{"Sweep", "lambda:InvokeFunction", g.Sweep.FunctionArn()},
		{"Others", "states:ListExecutions", arn},
	} {
		g.Machine.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: &allowed.sid, Actions: jsii.Strings(allowed.action), Resources: &[]*string{allowed.on},
		}))
	}
}

func (g *Guardrail) addSchedule(run, expression string) {
	if g.scheduler == nil {
		g.scheduler = awsiam.NewRole(g.Construct, jsii.String("ScheduleRole"), &awsiam.RoleProps{
			RoleName:    g.name("schedule-" + *g.stack.Region()),
			Description: jsii.String("Of the schedules of " + g.config.Stack.Name),
			// https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
			AssumedBy: awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"), &awsiam.ServicePrincipalOpts{
				Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": g.stack.Account()}},
			}),
		})
		g.scheduler.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("Start"), Actions: jsii.Strings("states:StartExecution"), Resources: &[]*string{g.Machine.StateMachineArn()},
		}))
		g.scheduler.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("DeadLetters"), Actions: jsii.Strings("sqs:SendMessage"), Resources: &[]*string{g.undelivered.QueueArn()},
		}))
	}
	input, err := json.Marshal(map[string]string{"run": run})
	if err != nil {
		panic(err) // texts can always be written
	}
	id := strings.ToUpper(run[:1]) + run[1:] + "Schedule"
	schedule := awsscheduler.NewCfnSchedule(g.Construct, &id, &awsscheduler.CfnScheduleProps{
		Name:               g.name(run),
		Description:        jsii.String("Starts the " + run + " sweep"),
		ScheduleExpression: &expression,
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn: g.Machine.StateMachineArn(), RoleArn: g.scheduler.RoleArn(), Input: jsii.String(string(input)),
			DeadLetterConfig: &awsscheduler.CfnSchedule_DeadLetterConfigProperty{Arn: g.undelivered.QueueArn()},
			RetryPolicy:      &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(3600), MaximumRetryAttempts: jsii.Number(185)},
		},
	})
	schedule.Node().AddDependency(g.scheduler) // its policy too: a start that comes before is lost
}
