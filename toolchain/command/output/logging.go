package output

import (
	"fmt"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Shown says which streams people may see. Both are captured as outputs in any case.
type Shown struct{ Stdout, Stderr bool }

// The values of the input "logging", a type of which each module of the plugin has its own.
const (
	showStdout          = "stdout"
	showStderr          = "stderr"
	showStdoutAndStderr = "stdoutAndStderr"
	showNone            = "none"
)

// LoggingValues lists the values for the schema.
func LoggingValues[Logging ~string]() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: "Stdout", Value: showStdout},
		{Name: "Stderr", Value: showStderr},
		{Name: "StdoutAndStderr", Value: showStdoutAndStderr},
		{Name: "None", Value: showNone},
	}
}

// CheckLogging refuses any other value, which the framework does not do.
func CheckLogging[Logging ~string](logging *Logging) []p.CheckFailure {
	if logging == nil {
		return nil
	}
	for _, known := range LoggingValues[Logging]() {
		if *logging == known.Value {
			return nil
		}
	}
	return []p.CheckFailure{{
		Property: "logging",
		Reason: fmt.Sprintf("%q is not %s, %s, %s or %s", string(*logging),
			showStdout, showStderr, showStdoutAndStderr, showNone),
	}}
}

// ShownBy treats a missing value as both.
func ShownBy[Logging ~string](logging *Logging) Shown {
	if logging == nil {
		return Shown{Stdout: true, Stderr: true}
	}
	return Shown{
		Stdout: *logging == showStdout || *logging == showStdoutAndStderr,
		Stderr: *logging == showStderr || *logging == showStdoutAndStderr,
	}
}
