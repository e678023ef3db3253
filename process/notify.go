package process

import (
	"log/slog"
	"net"
	"os"
)

// NotifyReady tells systemd that this process serves, if it was started as a service
// of Type=notify. Others are not told.
func NotifyReady(log *slog.Logger) {
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
