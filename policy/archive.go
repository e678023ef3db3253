package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
)

// MaxUnpacked is how many bytes the files of a bundle may have together, unless
// something else says more. Policies have a few hundred thousand.
const MaxUnpacked = 64 << 20

// ReadArchive reads a bundle file (.tar.gz) whole, but not one that is larger than
// limit, or would be when unpacked: OPA unpacks a bundle before it looks at the
// signature, and makes room for as much as a file in it says to have. What is no
// archive, or half of one, comes back as it is, for who parses it tells best.
func ReadArchive(r io.Reader, limit int64) ([]byte, error) {
	tooLarge := fmt.Errorf("the bundle has more than %d bytes unpacked", limit)
	file, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(file)) > limit {
		return nil, tooLarge
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return file, nil
	}
	// What files say to have is not what the archive has: it may have holes.
	has, say := &io.LimitedReader{R: unzipped, N: limit}, limit
	for archive := tar.NewReader(has); ; {
		header, err := archive.Next()
		switch {
		case has.N <= 0:
			return nil, tooLarge
		case err != nil:
			return file, nil
		case header.Size > say:
			return nil, tooLarge
		}
		say -= header.Size
	}
}
