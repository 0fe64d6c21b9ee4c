package following

// Next returns the index to wait for after an answer with index got to a question that waited for another one, 0 if it didn't wait, and whether
// the answer's body is news. An equal index means that the wait ran out. A lower one is of another life of Consul, or of an agent without
// servers: next is 0 then, to ask afresh. Otherwise it is 1 at least, since waiting for 0 is no wait.
// (https://developer.hashicorp.com/consul/api-docs/features/blocking)
func Next(waited, got uint64) (next uint64, news bool) {
	if got < waited {
		return 0, false
	}
	return max(got, 1), waited == 0 || got > waited
}
