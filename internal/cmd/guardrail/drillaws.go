package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/go-json-experiment/json"
)

// drillRoles are roles that permit nothing: Lambda makes no function without one.
type drillRoles struct{ client *iam.Client }

// rolePath is that of the roles of drills, so that they are found among all.
const rolePath = "/" + drillTag + "/"

// onlyLambda lets nobody but Lambda take on a role.
const onlyLambda = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func (d drillRoles) make(ctx context.Context, name, tag string) (arn string, err error) {
	out, err := d.client.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &name, Path: aws.String(rolePath), AssumeRolePolicyDocument: aws.String(onlyLambda), Description: aws.String(drillDescription),
		Tags: []types.Tag{{Key: aws.String(drillTag), Value: &tag}},
	})
	if err != nil {
		return "", fmt.Errorf("making the role %s: %w", name, err)
	}
	return aws.ToString(out.Role.Arn), nil
}

// delete deletes a role. One that is not there is no error.
func (d drillRoles) delete(ctx context.Context, name string) error {
	_, err := d.client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name})
	if _, gone := errors.AsType[*types.NoSuchEntityException](err); err != nil && !gone {
		return fmt.Errorf("deleting the role %s: %w", name, err)
	}
	return nil
}

// tagged returns the names of those that begin with prefix and carry the tag.
func (d drillRoles) tagged(ctx context.Context, prefix, tag string) ([]string, error) {
	var names []string
	pages := iam.NewListRolesPaginator(d.client, &iam.ListRolesInput{PathPrefix: aws.String(rolePath)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing roles: %w", err)
		}
		for _, role := range page.Roles {
			name := aws.ToString(role.RoleName)
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			out, err := d.client.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: &name})
			if err != nil {
				return nil, fmt.Errorf("reading the tags of the role %s: %w", name, err)
			}
			for _, t := range out.Tags {
				if aws.ToString(t.Key) == drillTag && aws.ToString(t.Value) == tag {
					names = append(names, name)
				}
			}
		}
	}
	return names, nil
}

// logged is as much of a finding in the log as a drill looks at.
type logged struct {
	ID        string `json:"id"`
	Outcome   string `json:"outcome"`
	Error     string `json:"error"`
	Exemption *struct {
		Owner string `json:"owner"`
	} `json:"exemption"`
}

// findings returns those of a function that are in the log, oldest first.
func findings(ctx context.Context, client *cloudwatchlogs.Client, group, function string, since time.Time) ([]logged, error) {
	var all []logged
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(client, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &group, StartTime: aws.Int64(since.UnixMilli()),
		FilterPattern: aws.String(`{ $.finding.resource.function = "` + function + `" }`),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the log group %s: %w", group, err)
		}
		for _, event := range page.Events {
			var line struct {
				Finding logged `json:"finding"`
			}
			if err := json.Unmarshal([]byte(aws.ToString(event.Message)), &line); err != nil {
				return nil, fmt.Errorf("reading the log group %s: a line that is not JSON: %w", group, err)
			}
			all = append(all, line.Finding)
		}
	}
	return all, nil
}
