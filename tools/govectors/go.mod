module govectors

go 1.24
