package graph

// mix is the finalizer of splitmix64: a bijection on 64 bits, so what it scrambles unmix can read back.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return x
}

// unmix is the inverse of mix; the factors are the inverses of mix's modulo 2⁶⁴.
func unmix(x uint64) uint64 {
	x ^= x>>31 ^ x>>62
	x *= 0x319642b2d24d8ec3
	x ^= x>>27 ^ x>>54
	x *= 0x96de1b173f119089
	x ^= x>>30 ^ x>>60
	return x
}

// dice is a stream of numbers for one record.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	return mix(d.state)
}

// below returns a number in [0, n); n is at least 1.
func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

func pick(d *dice, list []string) string { return list[d.below(len(list))] }
