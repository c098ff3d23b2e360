package usyslog

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Logger returns a structured logger that writes to the log: the message, then its
// attributes as "key: value". Records below level are dropped.
func (l *Log) Logger(level slog.Level) *slog.Logger { return slog.New(&handler{log: l, level: level}) }

// handler is a [slog.Handler] on a Log.
type handler struct {
	log   *Log
	level slog.Level
	attrs []string
	group string
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	parts := append([]string{}, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		parts = append(parts, h.format(a))
		return true
	})
	text := r.Message
	if len(parts) > 0 {
		text += " [" + strings.Join(parts, ", ") + "]"
	}
	h.log.Printf("%s", text)
	return nil
}

func (h *handler) format(a slog.Attr) string {
	return fmt.Sprintf("%s%s: %v", h.group, a.Key, a.Value.Resolve())
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	n.attrs = append([]string{}, h.attrs...)
	for _, a := range attrs {
		n.attrs = append(n.attrs, h.format(a))
	}
	return &n
}

func (h *handler) WithGroup(name string) slog.Handler {
	n := *h
	n.group += name + "."
	return &n
}
