// Package process is how this program behaves on its machine: where it listens and how
// the next one takes that over, what other processes may read of it, how much memory it
// keeps, what it tells systemd.
//
// A command that holds secrets calls KeepPrivate first; Listen comes last, once all else
// is there. Exchanges, policy, tokens and the configuration are not for this folder
// (errors and logs name its key processor.listen): it imports nothing of ours.
package process
