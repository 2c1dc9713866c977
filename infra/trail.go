package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudtrail"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// addTrail makes what EventBridge needs to hear of API calls: a trail that logs
// the management events of the region. The first copy of these is free.
func (g *Guardrail) addTrail() {
	bucket := awss3.NewBucket(g.Construct, jsii.String("TrailBucket"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		Versioned:         jsii.Bool(true),
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN, // evidence, and a bucket that is not empty cannot be deleted
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Expiration:                  awscdk.Duration_Days(jsii.Number(g.config.Stack.LogRetentionDays)),
			NoncurrentVersionExpiration: awscdk.Duration_Days(jsii.Number(30)),
		}},
	})
	awscloudtrail.NewTrail(g.Construct, jsii.String("Trail"), &awscloudtrail.TrailProps{
		TrailName:                  g.name("trail"),
		Bucket:                     bucket,
		IsMultiRegionTrail:         jsii.Bool(false), // each region has its own stack
		IncludeGlobalServiceEvents: jsii.Bool(true),  // those of IAM
		ManagementEvents:           awscloudtrail.ReadWriteType_WRITE_ONLY,
		EnableFileValidation:       jsii.Bool(true),
	})
}
