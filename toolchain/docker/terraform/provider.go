// Package shim makes the constructor of the Terraform docker provider reachable.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"

	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the Terraform docker provider, which names itself with version in requests.
func NewProvider(version string) *schema.Provider { return provider.New(version)() }
