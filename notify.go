package main

import (
	"context"
	"log/slog"
	"net"
	"os"
)

// notifyReady tells systemd that this process serves, if it was started as a service
// of Type=notify. Others are not told.
func notifyReady(log *slog.Logger) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return
	}
	conn, err := net.Dial("unixgram", address)
	if err == nil {
		defer conn.Close()
		_, err = conn.Write([]byte("READY=1"))
	}
	if err != nil {
		log.Warn("telling systemd that this process is ready failed", "error", err)
	}
}

// notifyReady does so once there is a policy, and a token of each connector.
func (p *processor) notifyReady(ctx context.Context) {
	if awaitFirst(ctx, p.tokens, p.engine) == nil {
		notifyReady(p.log)
	}
}
