// Package platform is the platforms' side of federation on loopback: servers that verify what they are sent as the real services do
// and sign assertions that the synthetic Entra trusts.
//
// Each platform has files of its own, beginning with its name. Signing keys are those of an entra.Issuer, which the platform serves
// under its issuer's URL, so that an Entra can fetch them as it does in the world.
//
// A server here speaks the part of its service that workload identity needs and nothing else. It has no state beyond the process.
package platform
