package chart

import (
	"net/netip"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

// By default the gateway reaches the internet, and no private network: neither the API server
// and the Pods of usual clusters, nor what machines of a cloud tell their workloads.
func TestEgress(t *testing.T) {
	policy := gateway(t, minimal).networkPolicy
	for address, want := range map[string]bool{
		"20.190.128.1": true, "40.126.0.1": true, "2603:1006:2000::1": true, // Entra and Graph

		"169.254.169.254": false, "fd00:ec2::254": false, "fd20:ce::254": false, // metadata of AWS, Azure, Google Cloud
		"169.254.170.23": false, "fd00:ec2::23": false, // EKS' identities of Pods
		"100.100.100.200": false, "192.0.0.192": false, // metadata of Alibaba and Oracle Cloud
		"10.0.0.1": false, "172.20.0.1": false, "192.168.1.1": false, "100.64.0.1": false, "198.19.0.1": false, "240.0.0.1": false, "fd12::1": false,
		"127.0.0.1": false, "fe80::1": false,
	} {
		if got := reaches(t, policy, netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

// reaches says whether a rule allows port 443 of an address.
func reaches(t *testing.T, policy *networkingv1.NetworkPolicy, address netip.Addr) bool {
	t.Helper()
	prefix := func(text string) netip.Prefix {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, rule := range policy.Spec.Egress {
		for _, port := range rule.Ports {
			for _, to := range rule.To {
				if port.Port.IntValue() != 443 || to.IPBlock == nil || !prefix(to.IPBlock.CIDR).Contains(address) {
					continue
				}
				out := false
				for _, except := range to.IPBlock.Except {
					out = out || prefix(except).Contains(address)
				}
				if !out {
					return true
				}
			}
		}
	}
	return false
}
