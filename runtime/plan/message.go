package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// Message is one packet on the control socket.
type Message struct {
	Kind   Kind
	Signal int      `json:",omitempty"` // Forward, Stopped, Ended by a signal
	Status int      `json:",omitempty"` // Ended: exit status when Signal is 0
	Code   int      `json:",omitempty"` // Failed: an exit.Code
	Text   Text     `json:",omitempty"` // Failed, Warning
	Hints  []string `json:",omitempty"` // Failed
}

// Kind tells messages apart.
type Kind byte

// Kinds of messages. Forward goes to init, all others come from it.
const (
	Forward Kind = iota + 1 // pass a signal on to the command
	Running                 // the command has been executed
	Stopped                 // the command was stopped by a signal
	Ended                   // the command has ended, and so will init
	Failed                  // no command was started
	Warning                 // a line for the user
)

// maxMessage bounds a packet, in bytes.
const maxMessage = 64 << 10

// Failure makes a message of an error.
func Failure(err error) Message {
	return Message{Kind: Failed, Code: int(exit.CodeOf(err)), Text: Text(clip(err.Error())), Hints: exit.HintsOf(err)}
}

// Err is the inverse of Failure.
func (m Message) Err() error {
	return &exit.Error{Code: exit.Code(m.Code), Err: errors.New(string(m.Text)), Hints: m.Hints}
}

func clip(s string) string {
	if len(s) > maxMessage/8 {
		return s[:maxMessage/8]
	}
	return s
}

// Socket makes the two ends of a control socket, close-on-exec.
func Socket() (outer, inner int, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("control socket: %w", err)
	}
	return p[0], p[1], nil
}

// Send writes m to the socket fd. It does not wait: a peer that does not read loses
// the message, and one that is gone is no SIGPIPE.
func Send(fd int, m Message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return unix.Sendto(fd, data, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil)
}

// SendLast writes the message that ends the conversation. It waits while the peer does
// not read, since a caller that was stopped still has to learn how the command ended,
// and returns when the peer is gone.
func SendLast(fd int, m Message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for {
		if err := unix.Sendto(fd, data, unix.MSG_NOSIGNAL, nil); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Receive reads a message from the socket fd, io.EOF when the peer is gone.
func Receive(fd int) (Message, error) {
	buf := make([]byte, maxMessage)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return Message{}, err
		case n == 0:
			return Message{}, io.EOF
		}
		var m Message
		if err := json.Unmarshal(buf[:n], &m); err != nil {
			return Message{}, fmt.Errorf("control message: %w", err)
		}
		return m, nil
	}
}
