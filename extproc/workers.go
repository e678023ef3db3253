package extproc

import "time"

// workerIdle is how long a worker waits for the next exchange.
const workerIdle = 10 * time.Second

// workers run exchanges on goroutines that live on. Evaluating a policy takes a
// deep stack, and to grow a new one for each exchange took an eighth of the time of a
// page of 50 KB. There are as many as exchanges at once in the last workerIdle.
type workers struct{ waiting chan *stream }

// run hands the exchange to a worker.
func (w workers) run(s *stream) {
	select {
	case w.waiting <- s:
	default:
		go w.work(s)
	}
}

func (w workers) work(s *stream) {
	idle := time.NewTimer(workerIdle)
	defer idle.Stop()
	for {
		s.finish(s.run())
		idle.Reset(workerIdle)
		select {
		case s = <-w.waiting:
		case <-idle.C:
			return
		}
	}
}
