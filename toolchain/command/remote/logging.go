package remote

import (
	"github.com/pulumi/pulumi-go-provider/infer"

	"mlops/toolchain/command/output"
)

// Logging says which streams of the command are shown to people.
type Logging string

// The values of Logging.
const (
	LogStdout          Logging = "stdout"
	LogStderr          Logging = "stderr"
	LogStdoutAndStderr Logging = "stdoutAndStderr"
	LogNone            Logging = "none"
)

// Values implements infer.Enum.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: "Stdout", Value: LogStdout},
		{Name: "Stderr", Value: LogStderr},
		{Name: "StdoutAndStderr", Value: LogStdoutAndStderr},
		{Name: "None", Value: LogNone},
	}
}

// shown treats a missing value as both.
func shown(logging *Logging) output.Shown {
	if logging == nil {
		return output.Shown{Stdout: true, Stderr: true}
	}
	return output.Shown{
		Stdout: *logging == LogStdout || *logging == LogStdoutAndStderr,
		Stderr: *logging == LogStderr || *logging == LogStdoutAndStderr,
	}
}
