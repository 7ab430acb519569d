import DeepSeekV4
