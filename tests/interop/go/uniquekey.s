// Lets uniquekey.go declare a function without a body (go:linkname).
