package wan

import (
	"net"
	"sync"
	"time"
)

// line relays TCP connections to an address as a line of some length and some bandwidth would. The bandwidth is that of all
// connections together, and only of the way back; requests are small.
//
// Nothing is lost on it, and there is no slow start, for both ends are on loopback. On a real line the first answers of a connection take
// several times its length more, the longer they are the more.
type line struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	delay time.Duration // one way
	rate  float64       // bytes a second; 0 is without limit
	busy  time.Time     // until when what was sent takes the line
	open  map[net.Conn]bool
}

// inTransit is how many reads of a connection may be on the line; whoever sends more waits, as for a router.
const inTransit = 64

func newLine(target string) (*line, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{listener: listener, target: target, open: map[net.Conn]bool{}}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // closed
			}
			to, err := net.Dial("tcp", target)
			if err != nil {
				from.Close()
				continue
			}
			l.mu.Lock()
			l.open[from], l.open[to] = true, true
			l.mu.Unlock()
			go l.carry(to, from, false)
			go l.carry(from, to, true)
		}
	}()
	return l, nil
}

// set makes it another line, for what is sent from now on.
func (l *line) set(delay time.Duration, rate float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay, l.rate, l.busy = delay, rate, time.Time{}
}

// arrival is when n bytes that are sent now are there.
func (l *line) arrival(n int, limited bool) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !limited || l.rate == 0 {
		return now.Add(l.delay)
	}
	if l.busy.Before(now) {
		l.busy = now
	}
	l.busy = l.busy.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return l.busy.Add(l.delay)
}

// carry copies one direction of a connection, and ends both with it.
func (l *line) carry(to, from net.Conn, limited bool) {
	type parcel struct {
		data []byte
		at   time.Time
	}
	parcels := make(chan parcel, inTransit)
	go func() {
		defer to.Close()
		for p := range parcels {
			time.Sleep(time.Until(p.at))
			if _, err := to.Write(p.data); err != nil {
				from.Close() // ends the reading, too
			}
		}
	}()
	for {
		data := make([]byte, 16<<10)
		n, err := from.Read(data)
		if n > 0 {
			parcels <- parcel{data[:n], l.arrival(n, limited)}
		}
		if err != nil {
			break
		}
	}
	close(parcels)
	l.mu.Lock()
	delete(l.open, from)
	l.mu.Unlock()
}

// close ends the line and what is on it.
func (l *line) close() {
	l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		c.Close()
	}
}
