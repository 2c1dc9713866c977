package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lambda-guardrail/internal/awscall"
)

// allRegions is the --region that stands for all that are enabled.
const allRegions = "all"

// maxRegionPages bounds a listing that leads to itself.
const maxRegionPages = 20

// enabledRegions returns the regions that the account of cfg can use.
// https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html
func enabledRegions(ctx context.Context, cfg aws.Config) ([]string, error) {
	cfg = cfg.Copy()
	cfg.Region = accountRegion(cfg.Region)
	client := awscall.New(cfg, awscall.Service{ID: "Account", Prefix: "account"})
	var regions []string
	for next, pages := "", 0; ; pages++ {
		if pages == maxRegionPages {
			return nil, errors.New("listing the regions: the pages do not end")
		}
		in := map[string]any{"RegionOptStatusContains": []string{"ENABLED", "ENABLED_BY_DEFAULT"}, "MaxResults": 50}
		if next != "" {
			in["NextToken"] = next
		}
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		var out struct {
			Regions []struct {
				RegionName string
			}
			NextToken string
		}
		err = client.Do(ctx, awscall.Call{
			Operation: "ListRegions", Path: "/listRegions", Body: body,
			Header: map[string]string{"Content-Type": "application/json"},
			Read:   func(answer []byte) error { return json.NewDecoder(bytes.NewReader(answer)).Decode(&out) },
		})
		if err != nil {
			return nil, err
		}
		for _, r := range out.Regions {
			regions = append(regions, r.RegionName)
		}
		if next = out.NextToken; next == "" {
			break
		}
	}
	if err := checkRegions(regions); err != nil || len(regions) == 0 {
		return nil, errors.New("listing the regions: the answer names none, or what is no region")
	}
	slices.Sort(regions)
	return regions, nil
}

// accountRegion is where a partition keeps what is said of whole accounts, as the
// SDK's rules for the endpoint of this service have it. A partition of one region
// has no other.
func accountRegion(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "cn-northwest-1"
	case strings.HasPrefix(region, "us-gov-"):
		return "us-gov-west-1"
	case strings.HasPrefix(region, "us-iso"), strings.HasPrefix(region, "eu-iso"), strings.HasPrefix(region, "eusc-"):
		return region
	}
	return "us-east-1"
}
