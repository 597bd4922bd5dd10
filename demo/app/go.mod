module serin-demo

go 1.24
