package local

import (
	"github.com/pulumi/pulumi-go-provider/infer"

	"mlops/toolchain/command/output"
)

// Logging says which streams of the command are shown to people.
type Logging string

// Values implements infer.Enum.
func (Logging) Values() []infer.EnumValue[Logging] { return output.LoggingValues[Logging]() }
