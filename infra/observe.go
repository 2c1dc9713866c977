package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"lambda-guardrail/internal/guard"
)

// namespace is that of the metrics in the function's log.
const namespace = "LambdaGuardrail"

// burst is how many reverts in an hour are no longer one person's mistake.
const burst = 5

// waitSeconds is how long an event waits until somebody is told. One that was taken out
// three times does not count any more, so that errors and throttles have alarms too:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
const waitSeconds = 15 * 60

// published are the outcomes of a finding that somebody ought to look at.
var published = [...]guard.Outcome{guard.Audited, guard.Reverted, guard.AlreadyGone, guard.Failed}

// apiErrors are the metrics of attempts that failed.
var apiErrors = [...]string{"APIErrorsThrottled", "APIErrorsDenied", "APIErrorsConflict", "APIErrorsFailed"}

type alarm struct {
	id, name string
	why      string
	metric   awscloudwatch.IMetric
	from     float64 // raised from this value on
	times    float64 // in a row
	silence  bool    // raised where there is no value instead
}

func (g *Guardrail) alarms() []alarm {
	minutes := awscdk.Duration_Minutes(jsii.Number(5))
	hour := awscdk.Duration_Hours(jsii.Number(1))
	sum := func(period awscdk.Duration) *awscloudwatch.MetricOptions {
		return &awscloudwatch.MetricOptions{Statistic: jsii.String("Sum"), Period: period}
	}
	alarms := []alarm{
		{"PublicAlarm", "public-findings", "A statement lets strangers in, or did. The log says which, and what was done.", publicFindings(minutes), 1, 1, false},
		{"ReviewAlarm", "needs-review", "A statement may let strangers in, and only a person can tell. The log says why.", findings(guard.NeedsReview, minutes), 1, 1, false},
		{"BurstAlarm", "reverts-in-a-burst", "Many reverts in an hour: somebody fights the guardrail, or a deployment does. Fix the template, or write an exemption.", findings(guard.Reverted, hour), burst, 1, false},
		{"ErrorsAlarm", "errors", "The function gave up on an event, and will be called again. Its log says why.", g.Function.MetricErrors(sum(minutes)), 1, 1, false},
		{"ThrottlesAlarm", "throttles", "The function has been throttled for a quarter of an hour, and each time counts as one of ten attempts on an event. Raise reservedConcurrency, or the account's quota.", g.Function.MetricThrottles(sum(minutes)), 1, 3, false},
		{"WaitingAlarm", "waiting", "An event has been waiting for a quarter of an hour: the event source mapping is off, or the function does not keep up.", age(g.events, minutes), waitSeconds, 1, false},
		{"UndeliveredAlarm", "undelivered", "Events did not reach the queue, or starts of the sweep the state machine: look at the queue's policy, and send them again.", depth(g.undelivered, minutes), 1, 1, false},
		{"FailedAlarm", "failed", "The function failed on events ten times: its log says why. Their policies are unjudged until they are moved back.", depth(g.failed, minutes), 1, 1, false},
		{"SweepFailedAlarm", "sweep-failed", "A run of the sweep failed or was given up after a week. The history of the state machine says why.", g.failedRuns(hour), 1, 1, false},
	}
	if days, ok := g.heartbeatDays(); ok {
		alarms = append(alarms, alarm{"HeartbeatAlarm", "sweep-heartbeat", "No sweep has ended for days: what no event tells is not found. Look at the schedules and the state machine.",
			metric("SweepHeartbeat", "Sum", awscdk.Duration_Days(jsii.Number(1)), nil), 1, days, true})
	}
	return alarms
}

// failedRuns counts those that failed and those that were given up.
func (g *Guardrail) failedRuns(over awscdk.Duration) awscloudwatch.IMetric {
	sum := &awscloudwatch.MetricOptions{Statistic: jsii.String("Sum"), Period: over}
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Label: jsii.String("failed runs"), Expression: jsii.String("SUM(METRICS())"), Period: over,
		UsingMetrics: &map[string]awscloudwatch.IMetric{"failed": g.Machine.MetricFailed(sum), "late": g.Machine.MetricTimedOut(sum)},
	})
}

func (g *Guardrail) addAlarms() {
	action := awscloudwatchactions.NewSnsAction(g.Topic)
	for _, a := range g.alarms() {
		compare, missing := awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD, awscloudwatch.TreatMissingData_NOT_BREACHING
		if a.silence {
			compare, missing = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD, awscloudwatch.TreatMissingData_BREACHING
		}
		awscloudwatch.NewAlarm(g.Construct, &a.id, &awscloudwatch.AlarmProps{
			AlarmName:          g.name(a.name),
			AlarmDescription:   &a.why,
			Metric:             a.metric,
			Threshold:          &a.from,
			EvaluationPeriods:  &a.times,
			ComparisonOperator: compare,
			TreatMissingData:   missing,
		}).AddAlarmAction(action)
	}
}

// findings returns the number of those with an outcome that let strangers in, or may.
func findings(outcome guard.Outcome, over awscdk.Duration) awscloudwatch.IMetric {
	return metric("Findings", "Sum", over, map[string]string{"Outcome": outcome.String()})
}

// publicFindings returns the number of public statements that no exemption covers.
func publicFindings(over awscdk.Duration) awscloudwatch.IMetric {
	using := map[string]awscloudwatch.IMetric{}
	for i, outcome := range published {
		using[fmt.Sprintf("m%d", i)] = findings(outcome, over)
	}
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Label: jsii.String("public statements"), Expression: jsii.String("SUM(METRICS())"), UsingMetrics: &using, Period: over,
	})
}

func metric(name, statistic string, over awscdk.Duration, dimensions map[string]string) awscloudwatch.IMetric {
	values := map[string]*string{}
	for k, v := range dimensions {
		values[k] = &v
	}
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(namespace), MetricName: &name, Statistic: &statistic, Period: over, DimensionsMap: &values,
	})
}

func depth(queue awssqs.Queue, over awscdk.Duration) awscloudwatch.IMetric {
	return queue.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{Statistic: jsii.String("Maximum"), Period: over})
}

func age(queue awssqs.Queue, over awscdk.Duration) awscloudwatch.IMetric {
	return queue.MetricApproximateAgeOfOldestMessage(&awscloudwatch.MetricOptions{Statistic: jsii.String("Maximum"), Period: over})
}

// latestFindings reads the lines of the function's log.
var latestFindings = []string{
	`fields @timestamp, finding.severity, Outcome, ExposureLevel, finding.resource.arn, finding.sid, finding.call, finding.actor.arn, finding.actor.source`,
	`filter msg = "finding"`,
	`sort @timestamp desc`,
	`limit 50`,
}

func (g *Guardrail) addDashboard() {
	minutes := awscdk.Duration_Minutes(jsii.Number(5))
	sum := &awscloudwatch.MetricOptions{Statistic: jsii.String("Sum"), Period: minutes}
	var byOutcome, errors []awscloudwatch.IMetric
	for _, outcome := range append([]guard.Outcome{guard.NeedsReview, guard.Exempt}, published[:]...) {
		byOutcome = append(byOutcome, findings(outcome, minutes))
	}
	for _, name := range apiErrors {
		errors = append(errors, metric(name, "Sum", minutes, nil))
	}
	graph := func(title string, lines ...awscloudwatch.IMetric) awscloudwatch.IWidget {
		return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: &title, Left: &lines, Width: jsii.Number(12), LeftYAxis: &awscloudwatch.YAxisProps{Min: jsii.Number(0), ShowUnits: jsii.Bool(false)},
		})
	}
	g.Dashboard = awscloudwatch.NewDashboard(g.Construct, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName:   g.name(*g.stack.Region()), // dashboards are global
		DefaultInterval: awscdk.Duration_Days(jsii.Number(7)),
		Widgets: &[]*[]awscloudwatch.IWidget{
			{
				graph("Findings by outcome", byOutcome...),
				graph("Seconds from the call to the verified revert",
					metric("SecondsOpen", "p50", minutes, nil), metric("SecondsOpen", "Maximum", minutes, nil)),
			},
			{
				graph("Errors of the function, reverts that failed, throttles",
					g.Function.MetricErrors(sum), findings(guard.Failed, minutes), g.Function.MetricThrottles(sum)),
				graph("Attempts that the Lambda API answered with an error", errors...),
			},
			{
				graph("Dead letters: events undelivered, events given up", depth(g.undelivered, minutes), depth(g.failed, minutes)),
				graph("Events", g.Function.MetricInvocations(sum)),
			},
			{
				graph("Events that wait", depth(g.events, minutes)),
				graph("Seconds that the oldest event has been waiting", age(g.events, minutes)),
			},
			{
				graph("Sweep: runs that were started, ended, failed or given up",
					g.Machine.MetricStarted(sum), g.Machine.MetricSucceeded(sum), g.Machine.MetricFailed(sum), g.Machine.MetricTimedOut(sum)),
				graph("Sweep: heartbeat, errors of the function",
					metric("SweepHeartbeat", "Sum", minutes, nil), g.Sweep.MetricErrors(sum)),
			},
			{awscloudwatch.NewLogQueryWidget(&awscloudwatch.LogQueryWidgetProps{
				Title: jsii.String("Latest findings"), LogGroupNames: &[]*string{g.Log.LogGroupName()},
				QueryLines: jsii.Strings(latestFindings...), Width: jsii.Number(24), Height: jsii.Number(9),
			})},
		},
	})
}

// consoles are the hosts of AWS's consoles that are not as in the partition aws.
var consoles = [...]struct{ partition, host string }{
	{"aws-cn", "console.amazonaws.cn"},
	{"aws-us-gov", "console.amazonaws-us-gov.com"},
}

func (g *Guardrail) dashboardURL() string {
	host := "console.aws.amazon.com"
	for _, c := range consoles {
		id := "In" + strings.ReplaceAll(c.partition, "-", "")
		in := awscdk.NewCfnCondition(g.Construct, &id, &awscdk.CfnConditionProps{
			Expression: awscdk.Fn_ConditionEquals(g.stack.Partition(), c.partition),
		})
		host = *awscdk.Token_AsString(awscdk.Fn_ConditionIf(in.LogicalId(), c.host, host), nil)
	}
	region := *g.stack.Region()
	return fmt.Sprintf("https://%s.%s/cloudwatch/home?region=%s#dashboards/dashboard/%s", region, host, region, *g.Dashboard.DashboardName())
}
