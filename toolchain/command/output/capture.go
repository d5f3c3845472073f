// Package output carries what a command writes to where it is wanted: the resource's outputs, the
// engine's log, and the error when the command fails.
package output

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
)

// Capture collects the two streams of one command.
type Capture struct {
	Stdout, Stderr *Stream
}

// NewCapture logs the shown streams line by line while the command runs.
func NewCapture(ctx context.Context, shown Shown) *Capture {
	return &Capture{
		Stdout: &Stream{shown: shown.Stdout, log: p.GetLogger(ctx).Info},
		Stderr: &Stream{shown: shown.Stderr, log: p.GetLogger(ctx).Info},
	}
}

// Failure is the error for a command that ended with cause. It quotes the end of what the command
// wrote, but never a stream that is not shown: it may hold secrets.
func (c *Capture) Failure(cause error) error {
	var message strings.Builder
	fmt.Fprintf(&message, "the command failed: %v", cause)
	for _, stream := range []struct {
		name string
		*Stream
	}{{"stderr", c.Stderr}, {"stdout", c.Stdout}} {
		switch text := stream.tail(); {
		case text == "":
		case stream.shown:
			fmt.Fprintf(&message, "\n%s:\n%s", stream.name, text)
		default:
			fmt.Fprintf(&message, "\n%s is not shown because of the input \"logging\"", stream.name)
		}
	}
	return fmt.Errorf("%s", message.String())
}

// tailBytes bounds what an error quotes; the log has everything.
const tailBytes = 4096

// Stream keeps all that is written to it.
type Stream struct {
	shown bool
	log   func(string)

	mutex sync.Mutex
	all   bytes.Buffer
	// logged is how many bytes of all are in the log: whole lines only, until Flush.
	logged int
}

// Write implements io.Writer; it never fails.
func (s *Stream) Write(data []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.all.Write(data)
	if end := bytes.LastIndexByte(s.all.Bytes()[s.logged:], '\n'); end >= 0 {
		s.logUntil(s.logged + end + 1)
	}
	return len(data), nil
}

// Flush logs a last line that did not end.
func (s *Stream) Flush() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.logUntil(s.all.Len())
}

func (s *Stream) logUntil(end int) {
	text := s.all.Bytes()[s.logged:end]
	s.logged = end
	if !s.shown {
		return
	}
	for line := range bytes.Lines(text) {
		if line := strings.TrimRight(string(line), "\r\n"); line != "" {
			s.log(line)
		}
	}
}

// String is the output property: everything written, without the last line break.
func (s *Stream) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return strings.TrimSuffix(s.all.String(), "\n")
}

func (s *Stream) tail() string {
	text := strings.TrimSpace(s.String())
	if len(text) <= tailBytes {
		return text
	}
	text = text[len(text)-tailBytes:]
	if line := strings.IndexByte(text, '\n'); line >= 0 {
		text = text[line+1:]
	}
	return "…\n" + text
}
